package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for name, test := range map[string]struct {
		values []int64
		want   int64
	}{
		"none": {nil, 0},
		"one":  {[]int64{7}, 7},
		"odd":  {[]int64{9, 1, 100}, 9},
		"even": {[]int64{4, 100, 1, 2}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := median(test.values); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	got := summarize([]figures{
		{time: time.Second, memory: 10, traffic: traffic{map[string]int{"GET": 1}, 2, 1}},
		{time: 9 * time.Second, memory: 30, traffic: traffic{map[string]int{"GET": 1, "POST": 5}, 1, 1}},
		{time: 2 * time.Second, memory: 20, traffic: traffic{map[string]int{"GET": 2}, 1, 1}},
	})
	want := figures{time: 2 * time.Second, memory: 20, traffic: traffic{map[string]int{"GET": 2, "POST": 5}, 2, 1}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(figures{}, traffic{})); diff != "" {
		t.Error(diff)
	}
}
