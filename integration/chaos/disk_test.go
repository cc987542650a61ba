package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/service"
)

// The disk under the fallback is full while Kafka is away, and later has room
// again.
func diskFull(x *trial) {
	x.guard(`umount -l "$1"`)
	x.mount("-t", "tmpfs", "-o", fmt.Sprintf("size=%d", 800*x.rate), "tmpfs") // of four seconds
	p := x.healthy(long(3*time.Second, time.Second), "-buffer", fmt.Sprint(8<<20))
	x.kafka.Pause(x)
	x.asked(p, "entries are dropped", func(a service.Answer) bool { return dropped(a.Stats) > uint64(x.rate) })
	full := p.Ask(x, service.Stats).Fallback.Stored
	x.command("mount", "-o", "remount,size=1g", x.dir)
	x.asked(p, "entries are written again", func(a service.Answer) bool { return a.Fallback.Stored > full+uint64(x.rate) })
	x.kafka.Resume(x)
	x.figure("time to replay", x.replayed(p))
	sheet := x.sheet(p)
	if dropped(sheet.Stats) == 0 || sheet.Fallback.OnFile != 0 {
		x.Errorf("%d shed, %+v lost, %d on file: want some dropped, and none on file", sheet.Stats.Shed, sheet.Stats.Lost, sheet.Fallback.OnFile)
	}
	x.figure("dropped", fmt.Sprintf("shed:%d lost:%+v", sheet.Stats.Shed, sheet.Stats.Lost))
}

// dropped is what is nowhere: the service logs at Info, which is shed when there is no
// room.
func dropped(st zapkafka.Stats) uint64 { return st.Shed + st.Lost.Total() }

// The disk under the fallback stops, not failing a write nor ending one, while
// Kafka is away. Only who logs in the first moment waits at all.
func diskStalled(x *trial) {
	image := filepath.Join(x.TempDir(), "image")
	x.guard(`fsfreeze -u "$1"; umount -l "$1"`)
	x.command("truncate", "-s", "1G", image)
	x.command("mkfs.ext4", "-q", "-F", image)
	x.mount("-o", "loop", image)
	p := x.healthy(long(3*time.Second, time.Second), "-buffer", fmt.Sprint(8<<20))
	p.Ask(x, service.Lap)
	x.kafka.Pause(x)
	x.outage(p)
	x.command("fsfreeze", "-f", x.dir)
	x.asked(p, "entries are dropped", func(a service.Answer) bool { return dropped(a.Stats) > uint64(x.rate) })
	x.logged(p, long(10*time.Second, time.Second))
	lap := p.Ask(x, service.Lap)
	stored := lap.Fallback.Stored
	x.command("fsfreeze", "-u", x.dir)
	x.asked(p, "entries are written again", func(a service.Answer) bool { return a.Fallback.Stored > stored+uint64(x.rate) })
	x.kafka.Resume(x)
	x.figure("time to replay", x.replayed(p))
	sheet := x.sheet(p)
	x.figure("longest call meanwhile", lap.Calls.Max)
	// On a machine that has other things to do.
	if lap.Calls.Max > heldUp()/2 {
		x.Errorf("a log call took %v while the disk stalled, want MaxWait (100ms) and its turn", lap.Calls.Max)
	}
	if dropped(sheet.Stats) == 0 || sheet.Fallback.OnFile != 0 {
		x.Errorf("%d shed, %+v lost, %d on file: want some dropped, and none on file", sheet.Stats.Shed, sheet.Stats.Lost, sheet.Fallback.OnFile)
	}
	x.figure("dropped", fmt.Sprintf("shed:%d lost:%+v", sheet.Stats.Shed, sheet.Stats.Lost))
}

// guard runs commands of the shell at the end of the trial, $1 being the
// directory of the fallback, also if this process does not live to see it.
func (x *trial) guard(commands string) {
	x.Helper()
	cmd := exec.Command("sh", "-c", "read -r line; "+commands, "sh", x.dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		x.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it may find nothing to do
	})
}

// mount mounts something at the directory of the fallback, and skips the trial
// where that is not allowed.
func (x *trial) mount(args ...string) {
	x.Helper()
	if out, err := exec.Command("mount", append(args, x.dir)...).CombinedOutput(); err != nil {
		x.Skipf("mount %s: %v: %s: this scenario needs a small disk, and root to mount one", strings.Join(args, " "), err, out)
	}
	// mkfs makes a directory for what fsck finds, which is not a fallback's.
	_ = os.Remove(filepath.Join(x.dir, "lost+found"))
}

func (x *trial) command(name string, args ...string) {
	x.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		x.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
