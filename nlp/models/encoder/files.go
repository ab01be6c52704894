// Package encodermodel holds the files of the built-in encoder, a folder such as any other that nlp/encoder opens. They
// are made by `tingke train encoder`; the model card says from what.
package encodermodel

import "embed"

// Files is the folder.
//
//go:embed tokenizer.json model.safetensors config.json
var Files embed.FS
