package spool

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownForParent is the life of a child process: it owns a directory until its
// standard input ends.
func ownForParent(dir string) int {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	if n, err := s.Append(batchOf("of the child")); n != 1 || err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(s.Dir())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0 // without Close: the end of a process gives up the lock
}

func startOwner(t *testing.T, dir string) (owned string, end func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "SPOOL_TEST_OWN="+dir)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	end = func() {
		stdin.Close()
		if err := child.Wait(); err != nil {
			t.Error("child:", err)
		}
	}
	return strings.TrimSuffix(line, "\n"), end
}

func TestOwnerInAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	owned, end := startOwner(t, dir)
	if owned != dir {
		t.Errorf("child owns %q, want %q", owned, dir)
	}
	second := mustOpen(t, dir, Options{})
	if want := filepath.Join(dir, "owner-0002"); second.Dir() != want {
		t.Errorf("while the child lives Open took %q, want %q", second.Dir(), want)
	}
	mustAppend(t, second, "of the parent")
	end()
	third := mustOpen(t, dir, Options{})
	if third.Dir() != dir {
		t.Errorf("after the end of the child Open took %q, want %q", third.Dir(), dir)
	}
	mustAppend(t, third, "of the heir")
	wantValues(t, dir, "of the child", "of the heir", "of the parent")
}

func TestOwnersInOneProcess(t *testing.T) {
	dir := t.TempDir()
	a, b, c := mustOpen(t, dir, Options{}), mustOpen(t, dir, Options{}), mustOpen(t, dir, Options{})
	got := []string{a.Dir(), b.Dir(), c.Dir()}
	want := []string{dir, filepath.Join(dir, "owner-0002"), filepath.Join(dir, "owner-0003")}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("directories %v, want %v", got, want)
	}
	mustClose(t, b)
	if d := mustOpen(t, dir, Options{}); d.Dir() != want[1] {
		t.Errorf("after a Close Open took %q, want the first free one, %q", d.Dir(), want[1])
	}
}

func TestDirectoryRemovedAndTakenByAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fallback")
	s := mustOpen(t, dir, Options{})
	mustAppend(t, s, "gone")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	other := mustOpen(t, dir, Options{})
	if n, err := s.Append(batchOf("nowhere")); n != 0 || err == nil || !strings.Contains(err.Error(), "owner") {
		t.Errorf("Append into another's directory: %d, %v; want an error about its owner", n, err)
	}
	mustClose(t, other)
	mustAppend(t, s, "here again")
	wantValues(t, dir, "here again")
}
