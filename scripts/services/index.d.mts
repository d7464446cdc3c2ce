export type ServiceName = 'redis' | 'memcached' | 'postgres' | 'mariadb';
/** A program that tests start themselves. */
export type ToolName = 'chromium';

/** A server that the tests may use up. */
export interface Service {
  readonly name: ServiceName;
  /** `redis://127.0.0.1:PORT`, `memcached://…`, `postgres://postgres@127.0.0.1:PORT/postgres`, `mysql://root@…/test`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  /** Where it came from: `redis-server on the PATH`. */
  readonly how: string;
  /** Where its data are; `undefined` for the server at a URL. */
  readonly folder?: string;
  /** SIGKILL; resolves when the process and its children are gone. An error for the server at a URL, as the next three. */
  kill(): Promise<void>;
  /** SIGSTOP: the server takes connections and bytes, and answers nothing. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Starts it again after {@link kill}: same port, same data (memcached keeps none). Resolves when it answers. */
  start(): Promise<void>;
  /** Final: ends the process and removes the data. A second call does nothing. */
  stop(): Promise<void>;
}

export interface ServicePlace {
  readonly kind: 'url' | 'program' | 'compose';
  readonly how: string;
  readonly url?: string;
  readonly programs?: Readonly<Record<string, string>>;
}

/** What {@link findService} looks at; each part can be replaced in a test. */
export interface SearchOptions {
  readonly own?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly folders?: { readonly path: readonly string[]; readonly system: () => readonly string[] };
  readonly sources?: {
    readonly apt: { canInstall(): boolean; install(packages: readonly string[]): Promise<void> };
    readonly compose: { isAvailable(): Promise<boolean> };
  };
}

export const SERVICE_NAMES: readonly ServiceName[];
export const TOOL_NAMES: readonly ToolName[];
export function skippedServices(
  env?: Readonly<Record<string, string | undefined>>,
): (ServiceName | ToolName)[];
export function findService(name: ServiceName | ToolName, options?: SearchOptions): Promise<ServicePlace>;
export function provideServices(names: readonly (ServiceName | ToolName)[]): Promise<void>;
export interface ServiceOptions {
  /** Further arguments for the server. Implies `own`. */
  readonly args?: readonly string[];
  /** Not the server at a URL of the environment: one that may be killed, frozen and filled. Default false. */
  readonly own?: boolean;
}

/** A server of its own on a free loopback port with temporary data, or the one at a URL of the environment. */
export function startService(name: ServiceName, options?: ServiceOptions): Promise<Service>;
