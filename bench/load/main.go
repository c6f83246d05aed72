// A fake Ollama and the clients of a benchmark in one thread: what they cost together bounds what can be measured.
//
// Commands come as JSON lines on the standard input, and each is answered with one on the standard output. The first
// line, which is not asked for, tells the fake's port.
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
	port := flag.Int("port", 0, "the fake's port; 0 takes a free one")
	burst := flag.Int("burst", 1, "how many tokens a stream that is as fast as it can be writes in one piece")
	flag.Parse()
	runtime.LockOSThread()
	// Little is allocated on the way; what is may wait.
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
	answer := json.NewEncoder(os.Stdout)
	must(answer.Encode(map[string]int{"port": f.port()}))
	finish := func(result any) { must(answer.Encode(result)) }
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
				f.cut()
				finish(map[string]bool{"closed": true})
			case "leave":
				run := &leaveRun{}
				must(json.Unmarshal(line, run))
				run.start(l, f, finish)
			default:
				panic(fmt.Sprintf("no run %q", c.Run))
			}
		default:
		}
		l.turn()
	}
}
