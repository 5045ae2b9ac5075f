package terraformcli

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
)

// Registries are the hosts of Terraform's and of OpenTofu's registry. Each CLI takes a source address without a host, such
// as pulumicloud/pulumicloud, for one in its own, so a mirror that serves both has a provider under each.
var Registries = [...]string{"registry.terraform.io", "registry.opentofu.org"}

// FillMirror puts a provider's binary into a filesystem mirror, for this machine and under each of [Registries], in the
// unpacked layout. The source is a source address without a host. The binary has to stay where it is, as it may be big,
// and is linked to where that is possible.
func FillMirror(mirror, source, version, binary string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	platform, name := runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-"+path.Base(source)+"_v"+version
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, registry := range Registries {
		directory := filepath.Join(mirror, registry, filepath.FromSlash(source), version, platform)
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return err
		}
		if err := linkOrCopy(binary, filepath.Join(directory, name)); err != nil {
			return err
		}
	}
	return nil
}

// linkOrCopy copies an executable where symbolic links need a privilege, as on Windows.
func linkOrCopy(executable, to string) error {
	if os.Symlink(executable, to) == nil {
		return nil
	}
	content, err := os.ReadFile(executable)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o700) //nolint:gosec // It is to be run.
}

// InstallFromMirror returns a CLI configuration that has all providers installed from a filesystem mirror.
func InstallFromMirror(mirror string) string {
	return fmt.Sprintf(`provider_installation {
  filesystem_mirror {
    path = %q
  }
}
`, filepath.ToSlash(mirror))
}

// InstallOneFromMirror returns a CLI configuration that has one provider installed from a filesystem mirror, and all others
// from their registries. A source address without a host is one in the CLI's own registry.
func InstallOneFromMirror(mirror, source string) string {
	return fmt.Sprintf(`provider_installation {
  filesystem_mirror {
    path    = %[1]q
    include = [%[2]q]
  }
  direct {
    exclude = [%[2]q]
  }
}
`, filepath.ToSlash(mirror), source)
}
