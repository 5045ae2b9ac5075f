//go:build unix

package credentials_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

func TestReadFile_namedPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := credentials.ReadFile(path); err == nil || err.Error() != "not a regular file" {
		t.Errorf("got %v", err)
	}
}
