const NOTHING = Buffer.alloc(0);
const CR = 13;
const LF = 10;

/** No line of a reply is longer: a key has 250 bytes. */
const LONGEST_LINE = 2048;

/** Where the reader puts what it finds. Both may throw; the reader must not be used after that. */
export interface ReplySink {
  /** A line without its CR LF; the answer is how many bytes of a block follow, or `undefined` if a line does. */
  line(text: string): number | undefined;
  block(data: Buffer): void;
}

/** Cuts what arrives on a connection, in whatever pieces, into lines and blocks. */
export class ReplyReader {
  /** The beginning of a line. */
  private rest: Buffer = NOTHING;
  /** A block with its CR LF, filled so far. */
  private block: Buffer | undefined;
  private filled = 0;

  constructor(private readonly sink: ReplySink) {}

  /** @throws Error if this is not the protocol */
  push(chunk: Buffer): void {
    const data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    this.rest = NOTHING;
    let at = 0;
    while (at < data.length)
      at = this.block === undefined ? this.readLine(data, at) : this.fill(this.block, data, at);
  }

  private readLine(data: Buffer, at: number): number {
    const end = data.indexOf(LF, at);
    if ((end === -1 ? data.length : end) - at > LONGEST_LINE) throw new Error('a line that does not end');
    if (end === -1) {
      this.rest = data.subarray(at);
      return data.length;
    }
    if (data[end - 1] !== CR || end === at) throw new Error('a line without CR LF');
    const size = this.sink.line(data.toString('latin1', at, end - 1));
    if (size !== undefined) {
      this.block = Buffer.allocUnsafe(size + 2);
      this.filled = 0;
    }
    return end + 1;
  }

  private fill(block: Buffer, data: Buffer, at: number): number {
    const copied = data.copy(block, this.filled, at);
    this.filled += copied;
    if (this.filled === block.length) {
      const size = block.length - 2;
      if (block[size] !== CR || block[size + 1] !== LF) throw new Error('a block without CR LF');
      this.block = undefined;
      this.sink.block(block.subarray(0, size));
    }
    return at + copied;
  }
}
