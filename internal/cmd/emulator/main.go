// Command emulator serves Pulumi Cloud's agent-pool API on loopback, to try configuration and modules without an
// account:
//
//	go run ./internal/cmd/emulator
//
// Once it listens it prints the environment variables that point Terraform, OpenTofu or Pulumi at it, ready to be
// pasted into a shell. State is in memory, and lost when it ends, unless -data names a file.
//
// Operations of the emulator's own stand in for what agents (runners) do. They take the same access token, but for
// health:
//
//	GET    /emulator/health
//	POST   /emulator/orgs/{org}/agent-pools/{poolId}/agents             {"hostname":"runner-1"}
//	DELETE /emulator/orgs/{org}/agent-pools/{poolId}/agents/{hostname}
//
// The first answers when the emulator is up, the second brings an agent online ("version", "platform", "ip" and "pid"
// may be given as well), the third takes a host's agents offline.
//
// With -oidc-issuer a pipeline needs no access token: whoever has an ID token of that issuer for the audience
// urn:pulumi:org:ORG can exchange it for any type of access token of that organization, unless -oidc-subject says whose
// ID tokens are good. The issuer's configuration and keys are fetched from it.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	tokenVariable = "PULUMI_ACCESS_TOKEN"
	// shutdownGrace is how long requests that are under way may take when the command is told to end.
	shutdownGrace = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. Stdout gets the lines for a shell, stderr the log.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	c, err := parseConfiguration(args, stderr)
	if err != nil {
		return err
	}
	// A token from the environment is not repeated: the shell has it, and it may be one for the real Pulumi Cloud.
	printToken := true
	if c.options.AccessToken == "" {
		if c.options.AccessToken = getenv(tokenVariable); c.options.AccessToken != "" {
			printToken = false
		} else {
			c.options.AccessToken = newAccessToken()
		}
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "emulator", Level: c.logLevel, Output: stderr})
	c.options.Logger = logger
	if c.options.Seed == 0 {
		c.options.Seed = mathrand.Uint64()
	}

	server, err := emulator.New(c.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", c.listen)
	if err != nil {
		return err
	}
	address, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if !address.Addr().IsLoopback() {
		logger.Warn("listening on more than loopback: tokens travel in clear", "address", address)
	}
	logger.Info("listening", "address", address, "seed", c.options.Seed)
	exports := fmt.Sprintf("export PULUMI_BACKEND_URL=%s\n", backendURL(address))
	if printToken {
		exports += fmt.Sprintf("export %s=%s\n", tokenVariable, c.options.AccessToken)
	}
	if _, err := io.WriteString(stdout, exports); err != nil {
		return errors.Join(err, listener.Close())
	}

	return serve(ctx, listener, &http.Server{
		Handler:           server,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      c.options.Latency + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	})
}

// serve ends without an error when ctx is done, after the requests that are under way.
func serve(ctx context.Context, listener net.Listener, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		// What is still under way hangs on purpose.
		return server.Close()
	}
	return nil
}

// backendURL is where a client on this machine reaches the address, which may be unspecified.
func backendURL(address netip.AddrPort) string {
	if address.Addr().IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", address.Port())
	}
	return "http://" + address.String()
}

func newAccessToken() string {
	random := make([]byte, 20)
	rand.Read(random) // never fails
	return "pul-" + hex.EncodeToString(random)
}
