import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

/** An application that is not started yet, on the platform of this name, which logs errors only. */
export function createApplication(platform, module) {
  const options = { logger: ['error'] };
  return platform === 'fastify'
    ? NestFactory.create(module, new FastifyAdapter(), options)
    : NestFactory.create(module, options);
}
