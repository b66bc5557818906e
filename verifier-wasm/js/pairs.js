/** `pairs`: named texts as the module reads them: for each two lengths in four bytes, little end first, name, value. */

const encoder = new TextEncoder();

/** @param entries `[name, value]`, the same name as often as it takes; an undefined value is left out */
export function pairs(entries) {
  const parts = [];
  let length = 0;
  for (const [name, value] of entries) {
    if (value === undefined) continue;
    const texts = [encoder.encode(name), encoder.encode(value)];
    const lengths = new DataView(new ArrayBuffer(8));
    lengths.setUint32(0, texts[0].length, true);
    lengths.setUint32(4, texts[1].length, true);
    parts.push(new Uint8Array(lengths.buffer), ...texts);
    length += 8 + texts[0].length + texts[1].length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
