package zapkafka

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of so many bytes, with a file of the given size
// on it which can be removed to make room.
func smallDisk(t *testing.T, size, ballast int) (dir string, makeRoom func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skip("needs root, to mount a small file system: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error("unmount:", err)
		}
	})
	file := filepath.Join(dir, "ballast")
	if err := os.WriteFile(file, make([]byte, ballast), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// floodUntil writes entries, a Sync after each few, until the sheet is as wanted.
func floodUntil(t *testing.T, s *KafkaSyncer, next *int, what string, enough func(Stats) bool) {
	t.Helper()
	for end := time.Now().Add(waitTime); !enough(s.Stats()); {
		if time.Now().After(end) {
			t.Fatalf("in vain waited for: %s: %+v", what, s.Stats())
		}
		for i := 0; i < 20; i++ {
			mustWrite(t, s, fmt.Sprintf("entry %06d %s\n", *next, strings.Repeat("x", *next%300)))
			*next++
		}
		_ = s.Sync()
	}
	eventually(t, "an outcome for all", func() bool { return s.Stats().PendingEntries == 0 })
}

// A disk that is full, then is not, and a cap that is reached: what is counted as
// stored is there, whole and once, all else is counted as lost, and writing goes on
// when there is room.
func TestFullDisk(t *testing.T) {
	for name, maxBytes := range map[string]int64{"disk": -1, "cap": 96 << 10} {
		t.Run(name, func(t *testing.T) {
			disk, makeRoom := smallDisk(t, 256<<10, 128<<10)
			dir := filepath.Join(disk, "fallback")
			log := &errorLog{}
			s, f := newReplaySyncer(t, &fakeProducer{handle: refuse}, dir, &FallbackOptions{MaxBytes: maxBytes}, &Options{
				ErrorHandler: log.handle, Replay: ReplayOptions{Rate: -1}, IDHeader: true,
			})
			next := 0
			floodUntil(t, s, &next, "something to be lost", func(st Stats) bool { return st.Lost.Total() > 100 })
			st := s.Stats()
			lost, want := st.Lost.FallbackFailed, error(syscall.ENOSPC)
			if maxBytes > 0 {
				lost, want = st.Lost.FallbackFull, ErrFallbackFull
			}
			if lost != st.Lost.Total() || st.FellBack.Total() < 100 {
				t.Errorf("full: %+v", st)
			}
			log.mu.Lock()
			if !errors.Is(errors.Join(log.errs...), want) {
				t.Errorf("nobody was told of %v: %v", want, log.errs)
			}
			log.mu.Unlock()
			if got := len(fallbackEntries(t, dir)); uint64(got) != st.FellBack.Total() {
				t.Errorf("%d entries on file, %d counted", got, st.FellBack.Total())
			}

			stored := st.FellBack.Total()
			if maxBytes < 0 {
				makeRoom()
				floodUntil(t, s, &next, "more to be stored", func(st Stats) bool { return st.FellBack.Total() >= stored+100 })
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			mustCloseFallback(t, f)
			st = s.Stats()
			onFile := map[string]bool{}
			for _, value := range fallbackEntries(t, dir) {
				if onFile[value] {
					t.Errorf("twice on file: %q", value)
				}
				onFile[value] = true
			}
			if uint64(len(onFile)) != st.FellBack.Total() || st.Accepted != uint64(next) {
				t.Errorf("%d on file, sheet %+v", len(onFile), st)
			}

			// A cap that is reached does not keep the replay from making room.
			p := &topicDouble{}
			s, f = newReplaySyncer(t, p, dir, &FallbackOptions{MaxBytes: maxBytes}, nil)
			eventually(t, "all to be in Kafka", func() bool { return f.Stats().OnFile == 0 })
			stored = 0
			for _, r := range p.stored() {
				if !onFile[r.value] {
					t.Errorf("replayed, and was not on file: %q", r.value)
				}
				stored++
			}
			if stored != uint64(len(onFile)) {
				t.Errorf("%d replayed, %d were on file", stored, len(onFile))
			}
			p.goDown()
			mustWrite(t, s, "there is room again\n")
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if st := s.Stats(); st.FellBack.Total() != 1 {
				t.Errorf("after the replay: %+v", st)
			}
			mustCloseFallback(t, f)
		})
	}
}

// A file system that is read-only is found out when the directory is opened.
func TestReadOnlyDisk(t *testing.T) {
	disk, _ := smallDisk(t, 64<<10, 0)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := OpenFallback(filepath.Join(disk, "fallback"), nil)
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), disk) {
		t.Errorf("OpenFallback = %v, want the system's reason and the path", err)
	}
}
