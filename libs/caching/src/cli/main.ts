#!/usr/bin/env node
import { createTableCommand } from './create-table.js';

const [command, ...args] = process.argv.slice(2);

if (command === 'create-table') {
  process.exitCode = await createTableCommand(args, process);
} else {
  process.stderr.write('Usage: nestjs-caching create-table [--help]\n');
  process.exitCode = 2;
}
