package provider

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

// Address is the provider's in the registry.
const Address = "registry.terraform.io/pulumicloud/pulumicloud"

// Serve speaks plugin protocol 6 with the CLI that started this process until the CLI ends it. With debug it waits for a
// CLI that is told how to reach it instead.
func Serve(version string, debug bool, options ...Option) error {
	var serving []tf6server.ServeOpt
	if debug {
		serving = append(serving, tf6server.WithManagedDebug())
	} else {
		QuietUnlessLogged()
	}
	return tf6server.Serve(Address, NewServer(version, options...), serving...)
}

// NewServer returns the constructor of the provider as the plugin protocol sees it.
func NewServer(version string, options ...Option) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		framework := providerserver.NewProtocol6(New(version, options...)())()
		if complete, ok := framework.(protocolServer); ok {
			return &server{complete}
		}
		return framework
	}
}

// QuietUnlessLogged turns the log of this process off where nobody has asked for it. The plugin libraries would write
// every call in detail, for the CLI to read and drop: a quarter of the processor time of a large plan.
func QuietUnlessLogged() {
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TF_LOG") && value != "" {
			return
		}
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_PROVIDER_PULUMICLOUD"} {
		_ = os.Setenv(name, "OFF")
	}
}

// server lets go of what a call has used when the call ends. The framework keeps the context of every call until the
// provider stops, to cancel it then, and with it the call's loggers: memory that grows with every resource.
type server struct {
	protocolServer
}

// protocolServer is as much of the protocol as the provider has a use for.
type protocolServer interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
}

// ValidateResourceConfig implements [tfprotov6.ResourceServer].
func (s *server) ValidateResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return during(ctx, req, s.protocolServer.ValidateResourceConfig)
}

// UpgradeResourceState implements [tfprotov6.ResourceServer].
func (s *server) UpgradeResourceState(
	ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return during(ctx, req, s.protocolServer.UpgradeResourceState)
}

// UpgradeResourceIdentity implements [tfprotov6.ResourceServer].
func (s *server) UpgradeResourceIdentity(
	ctx context.Context, req *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return during(ctx, req, s.protocolServer.UpgradeResourceIdentity)
}

// ReadResource implements [tfprotov6.ResourceServer].
func (s *server) ReadResource(
	ctx context.Context, req *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return during(ctx, req, s.protocolServer.ReadResource)
}

// PlanResourceChange implements [tfprotov6.ResourceServer].
func (s *server) PlanResourceChange(
	ctx context.Context, req *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	return during(ctx, req, s.protocolServer.PlanResourceChange)
}

// ApplyResourceChange implements [tfprotov6.ResourceServer].
func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return during(ctx, req, s.protocolServer.ApplyResourceChange)
}

// ReadDataSource implements [tfprotov6.DataSourceServer].
func (s *server) ReadDataSource(
	ctx context.Context, req *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	return during(ctx, req, s.protocolServer.ReadDataSource)
}

// during makes a call with a context that holds on to the caller's only until the call returns.
func during[Request, Response any](
	ctx context.Context, req Request, call func(context.Context, Request) (Response, error),
) (Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	detachable := &detachableContext{}
	detachable.parent.Store(&ctx)
	defer func() {
		cancel()
		detachable.parent.Store(&ended)
	}()
	return call(detachable, req)
}

// ended is what a detachable context becomes: over, and empty.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// detachableContext is its parent, for as long as it has one.
type detachableContext struct {
	parent atomic.Pointer[context.Context]
}

func (c *detachableContext) of() context.Context { return *c.parent.Load() }

// Deadline implements [context.Context].
func (c *detachableContext) Deadline() (time.Time, bool) { return c.of().Deadline() }

// Done implements [context.Context].
func (c *detachableContext) Done() <-chan struct{} { return c.of().Done() }

// Err implements [context.Context].
func (c *detachableContext) Err() error { return c.of().Err() }

// Value implements [context.Context].
func (c *detachableContext) Value(key any) any { return c.of().Value(key) }
