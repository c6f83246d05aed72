package local

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long to wait for the output of a killed command whose children keep it open.
const drain = 5 * time.Second

// run executes the command and stores its output in out. The command's environment has the former output of out, which
// is unchanged if the command fails.
func run(ctx context.Context, command string, p Process, out *Result) error {
	argv := []string{"/bin/sh", "-c"}
	if p.Interpreter != nil && len(*p.Interpreter) > 0 {
		argv = *p.Interpreter
	}
	argv = append(argv[:len(argv):len(argv)], command)

	var stdout, stderr bytes.Buffer
	var both locked
	log := newLines(ctx)

	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environment(p, out)
	cmd.Stdout = tee(&stdout, &both, log, p.Logging.shows(logStdout))
	cmd.Stderr = tee(&stderr, &both, log, p.Logging.shows(logStderr))
	if p.Stdin != nil && *p.Stdin != "" {
		cmd.Stdin = strings.NewReader(*p.Stdin)
	}
	if p.Dir != nil {
		cmd.Dir = *p.Dir
	}
	// A separate process group, so that a cancelled update also ends the command's children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = drain

	err := cmd.Run()
	log.close()
	if err != nil {
		return fmt.Errorf("%w: running %q:\n%s", err, command, both.buffer.String())
	}
	if err := collect(p, out); err != nil {
		return err
	}
	out.Stdout = strings.TrimSuffix(stdout.String(), "\n")
	out.Stderr = strings.TrimSuffix(stderr.String(), "\n")
	return nil
}

func environment(p Process, last *Result) []string {
	env := os.Environ()
	if p.Environment != nil {
		for key, value := range *p.Environment {
			env = append(env, key+"="+value)
		}
	}
	if p.AddPreviousOutputInEnv == nil || *p.AddPreviousOutputInEnv {
		if last.Stdout != "" {
			env = append(env, "PULUMI_COMMAND_STDOUT="+last.Stdout)
		}
		if last.Stderr != "" {
			env = append(env, "PULUMI_COMMAND_STDERR="+last.Stderr)
		}
	}
	return env
}

func tee(own, both, log io.Writer, shown bool) io.Writer {
	if shown {
		return io.MultiWriter(own, both, log)
	}
	return io.MultiWriter(own, both)
}

// locked is a buffer to which both streams write.
type locked struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buffer.Write(p)
}
