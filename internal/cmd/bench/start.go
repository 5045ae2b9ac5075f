package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

const startRuns = 20

// measureStart returns the median time from the start of a provider's process to its schema, over the protocol that
// Terraform speaks.
func measureStart(ctx context.Context, w workspace, logger hclog.Logger) (map[variant]time.Duration, error) {
	logger.Info("measuring starts", "runs", startRuns)
	times := make(map[variant][]time.Duration)
	for range startRuns {
		for _, v := range []variant{subject, empty} {
			took, err := start(ctx, w.binary(v))
			if err != nil {
				return nil, fmt.Errorf("start %s: %w", v, err)
			}
			times[v] = append(times[v], took)
		}
	}
	return map[variant]time.Duration{subject: median(times[subject]), empty: median(times[empty])}, nil
}

func start(ctx context.Context, binary string) (time.Duration, error) {
	const name, protocol = "provider", 6
	started := time.Now()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey: "TF_PLUGIN_MAGIC_COOKIE",
			// A constant of Terraform's plugin protocol, which tells a plugin that a CLI has started it.
			MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
		},
		VersionedPlugins: map[int]plugin.PluginSet{protocol: {name: connectionPlugin{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		Cmd:              exec.CommandContext(ctx, binary),
		Logger:           hclog.NewNullLogger(),
	})
	defer client.Kill()
	protocolClient, err := client.Client()
	if err != nil {
		return 0, err
	}
	dispensed, err := protocolClient.Dispense(name)
	if err != nil {
		return 0, err
	}
	conn, ok := dispensed.(*grpc.ClientConn)
	if !ok {
		return 0, fmt.Errorf("the plugin is a %T", dispensed)
	}
	// An empty message takes in any other as unknown fields, which is enough to have it here.
	err = conn.Invoke(ctx, "/tfplugin6.Provider/GetProviderSchema", &emptypb.Empty{}, &emptypb.Empty{})
	return time.Since(started), err
}

// connectionPlugin dispenses the connection itself.
type connectionPlugin struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer implements [plugin.GRPCPlugin]. It is the server's side, which this is not.
func (connectionPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

// GRPCClient implements [plugin.GRPCPlugin].
func (connectionPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
