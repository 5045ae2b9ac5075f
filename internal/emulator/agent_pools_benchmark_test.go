package emulator_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func BenchmarkListAgentPools(b *testing.B) {
	for _, pools := range []int{1_000, 5_000} {
		for _, skip := range []bool{false, true} {
			b.Run(fmt.Sprintf("pools=%d/validated=%t", pools, !skip), func(b *testing.B) {
				api := newAPI(b, emulator.Options{SkipResponseValidation: skip, NoRequestLog: true})
				for i := range pools {
					if _, _, err := api.CreateAgentPool("acme", fmt.Sprintf("pool-%04d", i), "A pool"); err != nil {
						b.Fatal(err)
					}
				}
				for b.Loop() {
					response := api.send(b, http.MethodGet, "/api/orgs/acme/agent-pools", nil)
					n, err := io.Copy(io.Discard, response.Body)
					if err != nil || response.StatusCode != http.StatusOK {
						b.Fatalf("status %d, %v", response.StatusCode, err)
					}
					response.Body.Close()
					b.SetBytes(n)
				}
			})
		}
	}
}
