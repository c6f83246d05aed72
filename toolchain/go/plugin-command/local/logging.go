package local

import (
	"bufio"
	"context"
	"io"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Logging selects the streams of a command that the engine shows.
type Logging string

const (
	logStdout Logging = "stdout"
	logStderr Logging = "stderr"
	logBoth   Logging = "stdoutAndStderr"
	logNone   Logging = "none"
)

// Values lets the schema reject other values.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(logStdout), Value: logStdout},
		{Name: string(logStderr), Value: logStderr},
		{Name: string(logBoth), Value: logBoth},
		{Name: string(logNone), Value: logNone},
	}
}

// shows returns whether to log the given stream. By default, both are logged.
func (l *Logging) shows(stream Logging) bool {
	return l == nil || *l == logBoth || *l == stream
}

// lines sends its input to the engine line by line, as a status that the next line overwrites. A line longer than the
// buffer is sent in parts, because a scanner would fail and block the command.
type lines struct {
	pipe *io.PipeWriter
	done chan struct{}
}

func newLines(ctx context.Context) *lines {
	reader, writer := io.Pipe()
	l := &lines{pipe: writer, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		logger := provider.GetLogger(ctx)
		buffered := bufio.NewReaderSize(reader, 64<<10)
		for {
			line, _, err := buffered.ReadLine()
			if err != nil {
				return
			}
			logger.InfoStatus(string(line))
		}
	}()
	return l
}

func (l *lines) Write(p []byte) (int, error) { return l.pipe.Write(p) }

// close waits until the last line has been sent.
func (l *lines) close() {
	_ = l.pipe.Close()
	<-l.done
}
