module ollama-stack.local/toolchain/registry

go 1.26
