//go:build race && linux

package engine

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// Go ends a process by a system call, but under the race detector by C's exit, which runs the library's destructors while
// its threads still use what they destroy: now and then a test binary whose tests all passed died of SIGSEGV. Handlers run
// last in, first out, so one that is set after a connection was made comes before those of the library.
func init() {
	leaveQuickly = func() {
		exit, err := purego.Dlsym(purego.RTLD_DEFAULT, "_exit")
		if err != nil {
			return
		}
		onExit, err := purego.Dlsym(purego.RTLD_DEFAULT, "on_exit") // calls it with the exit status
		if err != nil {
			return
		}
		var set func(exit uintptr, arg unsafe.Pointer) int32
		purego.RegisterFunc(&set, onExit)
		set(exit, nil)
	}
}
