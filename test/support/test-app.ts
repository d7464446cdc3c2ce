import 'reflect-metadata';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface TestApp {
  readonly app: INestApplication;
  readonly url: string;
  /** A GET, or whatever `init` says. Never follows redirects. */
  fetch(path: string, init?: RequestInit): Promise<Answer>;
  close(): Promise<void>;
}

/** A response that was read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly text: string;
}

/** Runs an application on a free port, on the given platform. */
export async function startApp(
  platform: Platform,
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => unknown = () => undefined,
  override: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
  fastify = new FastifyAdapter(),
): Promise<TestApp> {
  const module = await override(Test.createTestingModule(metadata)).compile();
  const app =
    platform === 'express'
      ? module.createNestApplication<NestExpressApplication>({ logger: ['warn', 'error'] })
      : module.createNestApplication<NestFastifyApplication>(fastify, {
          logger: ['warn', 'error'],
        });
  await configure(app);
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  return {
    app,
    url,
    close: () => app.close(),
    async fetch(path, init) {
      const response = await fetch(url + path, { redirect: 'manual', ...init });
      const body = Buffer.from(await response.arrayBuffer());
      return { status: response.status, headers: response.headers, body, text: body.toString() };
    },
  };
}
