package linear

import (
	"syscall"
	"unsafe"
)

// page is where huge pages begin on most machines.
const page = 2 << 20

// makeWords gives n zero words. A large table is asked to lie on huge pages: look-ups are scattered all over it, so that with
// small pages most of them wait for the page table too. Where the system has none, nothing is lost.
func makeWords(n int) []uint64 {
	if n*8 < 2*page {
		return make([]uint64, n)
	}
	// Whole pages only, before anything is written to them; the rest of the allocation is never touched.
	w := make([]uint64, n+page/8)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(w))) % page / 8)
	w = w[skip:][:n:n]
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), n*8/page*page)
	_ = syscall.Madvise(bytes, syscall.MADV_HUGEPAGE) // advice: the table is right without it
	return w
}
