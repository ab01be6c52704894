//go:build ignore

// gen_dict packs the dictionary and the HMM model that come with gojieba into dict/, so that a binary needs no file
// beside it:
//
//	go run gen_dict.go
package main

import (
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

func main() {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yanyiwu/gojieba").Output()
	if err != nil {
		log.Fatalf("cannot find gojieba in the module cache: %v", err)
	}
	module := strings.TrimSpace(string(out))
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"jieba.dict.utf8", "hmm_model.utf8"} {
		raw, err := os.ReadFile(filepath.Join(module, "deps/cppjieba/dict", name))
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("dict", name+".zst"), enc.EncodeAll(raw, nil), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	for from, to := range map[string]string{"LICENSE": "LICENSE.gojieba", "deps/cppjieba/LICENSE": "LICENSE.cppjieba"} {
		raw, err := os.ReadFile(filepath.Join(module, from))
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("dict", to), raw, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
