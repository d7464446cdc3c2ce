import { type ExecutionContext, Injectable, type ModuleMetadata, type NestInterceptor } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { installHooks } from '../../libs/caching/src/page/fastify-hooks.js';
import { type AccessTrackingOptions, trackAccess } from '../../libs/caching/src/page/access-tracking.js';
import type { AccessReport, Reads } from '../../libs/caching/src/page/read-log.js';
import { type Platform, startApp, type TestApp } from './test-app.js';

// A request of either platform; what a test reads of it is its own affair.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyRequest = Record<string, any>;

export interface Visit {
  readonly status: number;
  readonly text: string;
  readonly report: AccessReport;
}

export interface TrackedApp {
  /** Sends a GET and waits until its report is there. `onHead` is called when the head of the response has come. */
  visit(path: string, init?: RequestInit, onHead?: () => void): Promise<Visit>;
  /** The same, without a connection, as a background refresh does it. Not in Jest, which cannot load what it needs. */
  inject(path: string): Promise<Visit>;
  /** What the next requests are asked for before their handlers run. */
  declareBy(declare: (request: AnyRequest) => unknown): void;
  /** Own values and prototypes of the latest request, before the watch and after, and what `declareBy` read. */
  readonly seen: { before: object[]; after: object[]; declared: Reads | undefined };
  close(): Promise<void>;
}

/** An application whose every route is watched, without a cache. */
export async function startTrackedApp(
  platform: Platform,
  metadata: ModuleMetadata,
  configure: (app: TestApp['app']) => unknown = () => undefined,
  options: AccessTrackingOptions = {},
): Promise<TrackedApp> {
  const seen: TrackedApp['seen'] = { before: [], after: [], declared: undefined };
  let declare: ((request: AnyRequest) => unknown) | undefined;
  let reported: (report: AccessReport) => void;

  const interceptor: NestInterceptor = {
    intercept(context: ExecutionContext, next) {
      const http = context.switchToHttp();
      const request = http.getRequest<AnyRequest>();
      const response = http.getResponse();
      const raw: ServerResponse = response.raw ?? response;
      seen.before = shapeOf(request);
      const tracking = trackAccess(request, response, options);
      if (declare !== undefined) seen.declared = tracking.readsOf(() => declare?.(request));
      raw.once('close', () => {
        const final = tracking.stop();
        seen.after = shapeOf(request);
        reported(final);
      });
      return next.handle();
    },
  };

  /** Where the interceptor of pages is: outside every other, put there by a constructor. */
  @Injectable()
  class OutermostTracking {
    constructor(config: ApplicationConfig) {
      config.getGlobalInterceptors().unshift(interceptor);
    }
  }

  const providers = [...(metadata.providers ?? []), OutermostTracking];
  const app = await startApp(platform, { ...metadata, providers }, async (made) => {
    if (platform === 'fastify') installHooks(made.getHttpAdapter().getInstance());
    await configure(made);
  });
  return {
    seen,
    close: () => app.close(),
    declareBy: (next) => (declare = next),
    async inject(path) {
      const { inject } = await import('light-my-request');
      const report = new Promise<AccessReport>((resolve) => (reported = resolve));
      const [listener] = app.app.getHttpServer().listeners('request');
      const response = await inject(listener, { url: path, headers: { 'x-flag': 'f', 'x-other': 'o' } });
      return { status: response.statusCode, text: response.payload, report: await report };
    },
    async visit(path, init, onHead) {
      const report = new Promise<AccessReport>((resolve) => (reported = resolve));
      const response = await fetch(app.url + path, { redirect: 'manual', ...init });
      onHead?.();
      return { status: response.status, text: await response.text(), report: await report };
    },
  };
}

/** The prototype, names and values of a request and of what it stands for; values that change by themselves left out. */
function shapeOf(request: AnyRequest): object[] {
  const faces: object[] = request.raw === undefined ? [request] : [request, request.raw];
  return faces.map((face) => {
    const own = Object.entries(Object.getOwnPropertyDescriptors(face));
    const kept = own.filter(([name]) => !name.startsWith('_') && !CHANGING.has(name));
    return {
      prototype: Reflect.getPrototypeOf(face),
      ...Object.fromEntries(kept.map(([name, d]) => [name, d.value])),
    };
  });
}
const CHANGING = new Set(['complete', 'aborted', 'destroyed', 'res', 'params', 'route']);
