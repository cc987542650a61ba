// Package snippets holds the code that the pages in docs show, so that it
// compiles. Its test compares.
package snippets
