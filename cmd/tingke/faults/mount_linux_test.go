//go:build faults

package faults

import "syscall"

// mount puts a file system of a given size, such as 400m, over a folder.
func mount(dir, size string) error {
	return syscall.Mount("tingke-faults", dir, "tmpfs", 0, "size="+size)
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
