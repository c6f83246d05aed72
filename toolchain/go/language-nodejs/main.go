// pulumi-language-nodejs runs Node.js programs and policy packs for the engine. The module proxy does not have the
// released one; this one serves the same protocol for programs, policy packs and plugins (no code
// generation). The engine starts it with its own address as the last argument and reads the port from the first line
// of stdout; what programs print follows on the same stream.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// How often the host checks that its engine is running, so as not to outlive a killed one.
const watchEngine = 2 * time.Second

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("the engine's address is missing")
	}
	engine := args[len(args)-1]

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rpcutil.Healthcheck(ctx, engine, watchEngine, stop); err != nil {
		return fmt.Errorf("cannot watch the engine at %s: %w", engine, err)
	}

	cancelled := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancelled)
	}()
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel:  cancelled,
		Options: rpcutil.TracingServerInterceptorOptions(nil),
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, &host{engine: engine, life: ctx, end: stop})
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}
