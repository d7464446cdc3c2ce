/** What went wrong between us and a memcached server. The engine gives it to the application as a `cause`. */
export class MemcachedError extends Error {
  constructor(
    /** `host:port`, or the path of a socket. */
    readonly server: string,
    what: string,
  ) {
    super(`memcached at ${server} ${what}`);
    this.name = new.target.name;
  }
}

/** The server understood a command and refused it with `SERVER_ERROR`. The connection is as good as before. */
export class MemcachedRefusal extends MemcachedError {
  constructor(
    server: string,
    /** The server's own words, without `SERVER_ERROR`. */
    readonly answer: string,
  ) {
    super(server, `refused: ${answer}`);
  }

  get tooLarge(): boolean {
    return this.answer.includes('too large');
  }
}
