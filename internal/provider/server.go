package provider

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// Address is the address of the provider in the registry.
const Address = "registry.terraform.io/pulumicloud/pulumicloud"

// Serve serves plugin protocol 6 to the CLI that started this process. With debug it waits for a CLI instead.
func Serve(version string, debug bool, options ...Option) error {
	// go-plugin replaces os.Stderr, so that the logger must exist before it.
	logger := newHTTPLogger()
	options = append([]Option{func(config *pulumiapi.Config) { config.Logger = logger }}, options...)
	if debug {
		return tf6server.Serve(Address, NewServer(version, options...), tf6server.WithManagedDebug())
	}
	disableUnusedLogging()
	server := NewServer(version, options...)()
	go exitAfterTermination(server)
	return tf6server.Serve(Address, func() tfprotov6.ProviderServer { return server })
}

// exitAfterTermination leaves creates time to finish after SIGTERM, which systemd, GitLab runners and Jenkins send to
// the CLI and the provider at once. go-plugin handles only SIGINT. Normally the CLI ends this process earlier.
func exitAfterTermination(server tfprotov6.ProviderServer) {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	<-terminated
	_, _ = server.StopProvider(context.Background(), &tfprotov6.StopProviderRequest{})
	<-time.After(pulumiapi.DefaultConfig().GracePeriod + time.Second)
	os.Exit(1)
}

// NewServer returns the constructor of the provider server.
func NewServer(version string, options ...Option) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		//nolint:forcetypeassert,staticcheck // Without list resources the provider must not start. There is no other interface yet.
		return &server{providerserver.NewProtocol6(New(version, options...)())().(tfprotov6.ProviderServerWithListResource)}
	}
}

// server releases the memory of a call when the call ends. The framework keeps the context of every call until the
// provider stops, and with it the loggers of the call:
// https://github.com/hashicorp/terraform-plugin-framework/blob/v1.19.0/internal/proto6server/serve.go
//
// A plan of 1,000 agent pools takes 34 MB this way and 144 MB without it. A plan of 5,000 takes 47 and 614 MB.
type server struct {
	tfprotov6.ProviderServerWithListResource
}

// The methods below are the calls that Terraform makes for each resource instance.

func (s *server) ValidateResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return withCallContext(ctx, req, s.ProviderServerWithListResource.ValidateResourceConfig)
}

func (s *server) UpgradeResourceState(
	ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return withCallContext(ctx, req, s.ProviderServerWithListResource.UpgradeResourceState)
}

func (s *server) UpgradeResourceIdentity(
	ctx context.Context, req *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return withCallContext(ctx, req, s.ProviderServerWithListResource.UpgradeResourceIdentity)
}

func (s *server) ReadResource(
	ctx context.Context, req *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return withCallContext(ctx, req, s.ProviderServerWithListResource.ReadResource)
}

func (s *server) PlanResourceChange(
	ctx context.Context, req *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	return withCallContext(ctx, req, s.ProviderServerWithListResource.PlanResourceChange)
}

func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return withCallContext(ctx, req, s.ProviderServerWithListResource.ApplyResourceChange)
}

// withCallContext passes call a context that is detached from ctx when call returns.
func withCallContext[Request, Response any](
	ctx context.Context, req Request, call func(context.Context, Request) (Response, error),
) (Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	detachable := &detachableContext{}
	detachable.parent.Store(&ctx)
	defer func() {
		cancel()
		detachable.parent.Store(&canceledContext)
	}()
	return call(detachable, req)
}

// canceledContext is the parent of a detachableContext after the call.
var canceledContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// detachableContext delegates to a parent that can be replaced.
type detachableContext struct {
	parent atomic.Pointer[context.Context]
}

func (c *detachableContext) context() context.Context { return *c.parent.Load() }

func (c *detachableContext) Deadline() (time.Time, bool) { return c.context().Deadline() }

func (c *detachableContext) Done() <-chan struct{} { return c.context().Done() }

func (c *detachableContext) Err() error { return c.context().Err() }

func (c *detachableContext) Value(key any) any { return c.context().Value(key) }
