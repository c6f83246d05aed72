// A fake Ollama and the clients of a benchmark in one thread. Their joint cost limits what can be measured.
//
// Each command is a JSON line on the standard input, and its result one on the standard output. The first line of the
// output has the fake's port.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

type command struct {
	Run string `json:"run"`
}

func main() {
	port := flag.Int("port", 0, "the fake's port; 0 for a free one")
	burst := flag.Int("burst", 1, "number of tokens that a stream of \"fast\" writes at once")
	flag.Parse()
	runtime.LockOSThread()
	// Runs allocate little, so its collection can wait.
	debug.SetGCPercent(400)

	lines := make(chan []byte)
	go func() {
		input := bufio.NewScanner(os.Stdin)
		for input.Scan() {
			lines <- append([]byte(nil), input.Bytes()...)
		}
		close(lines)
	}()

	l := newLoop()
	f := startFake(l, *port, *burst)
	output := json.NewEncoder(os.Stdout)
	must(output.Encode(map[string]int{"port": f.port()}))
	finish := func(result any) { must(output.Encode(result)) }
	var held *openRun
	for {
		select {
		case line, more := <-lines:
			if !more {
				return
			}
			var c command
			must(json.Unmarshal(line, &c))
			switch c.Run {
			case "closed":
				run := &closedRun{}
				must(json.Unmarshal(line, run))
				run.start(l, finish)
			case "open":
				held = &openRun{}
				must(json.Unmarshal(line, held))
				held.start(l, finish)
			case "close":
				held.close()
				f.abortAll()
				finish(map[string]bool{"closed": true})
			case "disconnect":
				run := &disconnectRun{}
				must(json.Unmarshal(line, run))
				run.start(l, f, finish)
			default:
				panic(fmt.Sprintf("there is no run %q", c.Run))
			}
		default:
		}
		l.turn()
	}
}
