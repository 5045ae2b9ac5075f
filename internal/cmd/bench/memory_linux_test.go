package main

import (
	"os"
	"testing"
)

func TestPeakMemory(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if peak := peakMemory(executable); peak < 1<<20 {
		t.Errorf("this process's peak is %d bytes", peak)
	}
	if peak := peakMemory(executable + "-none"); peak != 0 {
		t.Errorf("the peak of no process is %d bytes", peak)
	}
}
