package trial

import "testing"

// Of a kernel's release the first two numbers are written down.
func TestKernel(t *testing.T) {
	for release, want := range map[string]string{"6.18.5-builder+\n": "6.18", "5.10.0": "5.10", "": ""} {
		if got := kernel(release); got != want {
			t.Errorf("%q: %q, want %q", release, got, want)
		}
	}
}
