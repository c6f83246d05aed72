package local

import (
	"bufio"
	"context"
	"io"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Logging says which of a command's streams the engine shows.
type Logging string

const (
	logStdout Logging = "stdout"
	logStderr Logging = "stderr"
	logBoth   Logging = "stdoutAndStderr"
	logNone   Logging = "none"
)

// Values lets the schema refuse anything else.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(logStdout), Value: logStdout},
		{Name: string(logStderr), Value: logStderr},
		{Name: string(logBoth), Value: logBoth},
		{Name: string(logNone), Value: logNone},
	}
}

// shows tells whether the given stream is to be logged; both are unless the program says otherwise.
func (l *Logging) shows(stream Logging) bool {
	return l == nil || *l == logBoth || *l == stream
}

// lines sends what is written to it to the engine, a line at a time, as a status that the next one overwrites.
// A line longer than the buffer is sent in pieces: a scanner would give up and leave the command blocked.
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

// close waits until the last line is sent.
func (l *lines) close() {
	_ = l.pipe.Close()
	<-l.done
}
