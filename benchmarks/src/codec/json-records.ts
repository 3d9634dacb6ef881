/** Records of JSON that LZ4 packs about 3:1. */
export function jsonRecords(size: number): Buffer {
  let text = ''
  for (let id = 0; text.length < size; id++) {
    const hash = Math.imul(id + 1, 0x9e37_79b1) >>> 0
    text += `{"id":${id},"user":"user-${hash % 5000}","event":"page_view","path":"/products/${hash % 977}","ms":${hash % 1000},"ok":true}\n`
  }
  return Buffer.from(text).subarray(0, size)
}
