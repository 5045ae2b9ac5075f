package main

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// memoryInterval is short against how long a provider lives after it has done its work, and long against what a look
// at all processes takes.
const memoryInterval = 50 * time.Millisecond

// watchMemory follows all processes that run an executable until it is told to stop. It then returns the most memory
// that any of them has ever had resident, in bytes. The CLI starts and reaps them, so that there is no other way to
// learn it; the kernel keeps each one's peak, and only what it rises by after the last look is missed.
func watchMemory(executable string) (stop func() int64) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	var peak int64
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(memoryInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				peak = max(peak, peakMemory(executable))
			case <-stopping:
				return
			}
		}
	}()
	return sync.OnceValue(func() int64 {
		close(stopping)
		<-stopped
		return peak
	})
}

func peakMemory(executable string) int64 {
	proc, err := os.Open("/proc")
	if err != nil {
		return 0
	}
	names, err := proc.Readdirnames(-1)
	_ = proc.Close()
	if err != nil {
		return 0
	}
	var peak int64
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		// Processes end at any time, and others' can't be looked into.
		process := "/proc/" + name
		if target, err := os.Readlink(process + "/exe"); err != nil || target != executable {
			continue
		}
		if status, err := os.ReadFile(process + "/status"); err == nil {
			peak = max(peak, parsePeakMemory(status))
		}
	}
	return peak
}
