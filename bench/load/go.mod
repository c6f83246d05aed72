module ollama-stack.local/bench/load

go 1.26
