package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// The exit status of the SDK's runner for an error that it has already reported to the user.
const alreadyReported = 32

// How long a program may take to stop: less than the five seconds after which the engine kills the host. Otherwise the
// program would keep the host's output open, and the engine would wait for it.
const grace = 3 * time.Second

var errNoNode = errors.New("node is not on the PATH")

// Run executes a program until it ends.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.GetAttachDebugger() {
		return nil, errors.New("this language host cannot attach a debugger: set runtime.options.nodeargs to --inspect-brk")
	}
	info := req.GetInfo()
	config, err := json.Marshal(req.GetConfig())
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(req.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	arguments := []string{
		"--monitor", req.GetMonitorAddress(),
		"--engine", h.engine,
		"--organization", req.GetOrganization(),
		"--project", req.GetProject(),
		"--root-directory", info.GetRootDirectory(),
		"--stack", req.GetStack(),
		"--pwd", req.GetPwd(),
		"--parallel", strconv.Itoa(int(req.GetParallel())),
	}
	if req.GetDryRun() {
		arguments = append(arguments, "--dry-run")
	}
	arguments = append(append(arguments, info.GetEntryPoint()), req.GetArgs()...)

	cmd, err := h.node(ctx, info, "run", arguments)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Env, "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secrets))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()

	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() == alreadyReported:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &exit) && exit.Exited():
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("Program exited with non-zero exit code: %d", exit.ExitCode())}, nil
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: "Program exited unexpectedly: " + exit.Error()}, nil
	default:
		return nil, fmt.Errorf("cannot run the program: %w", err)
	}
}

// RunPlugin executes a policy pack or a plugin until the engine ends the stream.
func (h *host) RunPlugin(
	req *pulumirpc.RunPluginRequest, stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	pack := req.GetInfo().GetProgramDirectory()
	runner, dir, arguments := "run-plugin", req.GetPwd(), append([]string{pack}, req.GetArgs()...)
	if req.GetKind() == "analyzer" {
		// The pack's runner takes the engine's address first, and searches its working directory for tsconfig.json.
		runner, dir, arguments = "run-policy-pack", pack, append(append([]string{}, req.GetArgs()...), pack)
	}
	cmd, err := h.node(stream.Context(), req.GetInfo(), runner, arguments)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(stream, false)
	if err != nil {
		return err
	}
	defer closer.Close()
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), req.GetEnv()...), readOptions(req.GetInfo()).environment()...)
	// Both streams share one RPC stream, which accepts one message at a time.
	lock := &oneAtATime{}
	cmd.Stdout, cmd.Stderr = lock.guard(stdout), lock.guard(stderr)
	err = cmd.Run()

	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	return stream.Send(&pulumirpc.RunPluginResponse{
		Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)},
	})
}

// InstallDependencies runs the project's package manager.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest,
	stream grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(stream, req.GetIsTerminal())
	if err != nil {
		return err
	}
	defer closer.Close()
	manager := readOptions(req.GetInfo()).packageManager
	cmd := exec.CommandContext(stream.Context(), manager, "install")
	cmd.Dir = req.GetInfo().GetProgramDirectory()
	lock := &oneAtATime{}
	cmd.Stdout, cmd.Stderr = lock.guard(stdout), lock.guard(stderr)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s install failed: %w", manager, err)
	}
	return nil
}

// node prepares one of the runners in the program's @pulumi/pulumi. The command ends with its request and with the host,
// first with SIGTERM.
func (h *host) node(
	ctx context.Context, info *pulumirpc.ProgramInfo, runner string, arguments []string,
) (*exec.Cmd, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errNoNode
	}
	script, err := findRunner(info.GetProgramDirectory(), runner)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(h.life, cancel)

	o := readOptions(info)
	argv := append(append(append([]string{}, o.nodeArgs...), script), arguments...)
	cmd := exec.CommandContext(ctx, node, argv...)
	cmd.Env = append(os.Environ(), o.environment()...)
	// It stays in the host's process group, which the engine kills if the host does not end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd, nil
}

// findRunner searches like Node.js: in the node_modules of the folder and of its parents.
func findRunner(dir, runner string) (string, error) {
	for from := dir; ; from = filepath.Dir(from) {
		script := filepath.Join(from, "node_modules", "@pulumi", "pulumi", "cmd", runner)
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if filepath.Dir(from) == from {
			return "", fmt.Errorf("@pulumi/pulumi is not installed for %s: run npm ci there", dir)
		}
	}
}
