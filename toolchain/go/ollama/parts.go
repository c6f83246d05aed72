//go:build parts

// Package ollama pins the Ollama server: the build takes its main package from the module required here.
// malgo is required only for the header miniaudio.h, which Ollama has in a vendor folder that the module archive lacks.
package ollama

import (
	_ "github.com/gen2brain/malgo"
	_ "github.com/ollama/ollama"
)
