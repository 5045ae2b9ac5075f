package cloud

import (
	"fmt"
	"net/url"
)

// ConfigFileError reports a Pulumi CLI configuration file that exists but cannot be read or understood.
type ConfigFileError struct {
	Path string
	// Err says why. It holds nothing of the file's content.
	Err error
}

func (e *ConfigFileError) Error() string {
	return fmt.Sprintf("The Pulumi configuration file %s, which may name the default organization, cannot be used: %v. "+
		"Repair it, or do without it by setting organization or PULUMI_DEFAULT_ORGANIZATION.", e.Path, e.Err)
}

func (e *ConfigFileError) Unwrap() error { return e.Err }

// configFile is what "pulumi org set-default" writes. The map's keys are backend URLs.
type configFile struct {
	Backends map[string]struct {
		DefaultOrg string `json:"defaultOrg"`
	} `json:"backends"`
}

// readConfigFile returns an empty file if there is none. Its error is a [*ConfigFileError].
func readConfigFile(env Environment) (configFile, error) {
	var file configFile
	if name, err := decodePulumiFile(env, "config.json", &file); err != nil {
		return configFile{}, &ConfigFileError{Path: name, Err: err}
	}
	return file, nil
}

// defaultOrganization returns the organization stored for baseURL, or "".
func (f *configFile) defaultOrganization(baseURL *url.URL) string {
	for _, key := range keysOfBackend(f.Backends, baseURL) {
		if organization := f.Backends[key].DefaultOrg; organization != "" {
			return organization
		}
	}
	return ""
}
