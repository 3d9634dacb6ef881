import { FREED_MEMORY_HINT_BYTES } from '../limits.ts'

let isHinted = false

/**
 * Lets the process keep the memory of fetches for the next ones. glibc maps blocks of megabytes one by one and returns each to the system when it is
 * freed, and the end of its heap too, so that fetches get new pages, which the kernel clears one after another: that was most of what a consumer of
 * 1 KiB records spent there. It stops doing so for sizes of which it has once seen a block freed (M_MMAP_THRESHOLD grows, and M_TRIM_THRESHOLD with
 * it). So one block of the largest such size is taken and given back; nothing touches it, hence it costs no memory. Elsewhere than on glibc this does
 * nothing.
 */
export function keepFreedMemory(): void {
  if (isHinted) return
  isHinted = true
  // Left to the collector it might stay for ever: a full collection may never come.
  Buffer.allocUnsafeSlow(FREED_MEMORY_HINT_BYTES).buffer.transfer(0)
}
