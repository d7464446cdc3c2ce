import 'reflect-metadata';
import { transform } from '@swc/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Query, Render } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CachingModule, FragmentCache, fragmentKey } from 'nestjs-caching';
import { example, load, read } from '../support/examples.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

let asked: string[] = [];

@Controller()
class ShopController {
  @Get()
  @Render('shop')
  show(@Query('user') user: string, @Query('language') language: string): object {
    const popular = async () => {
      asked.push(language);
      return [{ name: `<pot ${language}>` }];
    };
    return { user, language, popular };
  }
}

const EXTENSIONS = {
  handlebars: 'hbs',
  pug: 'pug',
  nunjucks: 'njk',
  liquid: 'liquid',
  ejs: 'ejs',
  eta: 'eta',
};

describe('docs/fragments.md', () => {
  let folder = '';
  afterEach(() => rm(folder, { recursive: true, force: true }));

  for (const [engine, extension] of Object.entries(EXTENSIONS)) {
    it.each(PLATFORMS)(`has an example for ${engine} that runs on %s`, async (platform) => {
      const template = new RegExp(`\`\`\`\\S+ view=${engine}\\n([^]*?)\`\`\``).exec(
        await read('docs/fragments.md'),
      );
      folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-docs-'));
      await writeFile(join(folder, `shop.${extension}`), template?.[1] ?? '');
      Object.assign(globalThis, { views: folder });
      const code = await example('docs/fragments.md', `${engine}.ts`);
      const setUp = await load<Record<'onExpress' | 'onFastify', (app: unknown) => Promise<void>>>(
        `const { views } = globalThis as any;\n${code.replaceAll('(app)', '(app: any)').replace('(environment)', '(environment: any)')}`,
      );
      asked = [];
      const app = await startApp(
        platform,
        { imports: [CachingModule.forRoot()], controllers: [ShopController] },
        (application) => setUp[platform === 'express' ? 'onExpress' : 'onFastify'](application),
      );
      const show = async (user: string, language: string) =>
        (await app.fetch(`/?user=${user}&language=${language}`)).text.replace(/\s*\n\s*/g, '');
      const drawn = (user: string, language: string) =>
        `<h1>Hello, ${user}</h1><ul><li>&lt;pot ${language}&gt;</li></ul>`;
      expect(await show('Ada', 'de')).toBe(drawn('Ada', 'de'));
      expect(await show('Grace', 'de')).toBe(drawn('Grace', 'de'));
      expect(await show('Ada', 'en')).toBe(drawn('Ada', 'en'));
      expect(asked).toEqual(['de', 'en']);
      await app.app.get(FragmentCache).invalidateTags(['products']);
      expect(await show('Ada', 'de')).toBe(drawn('Ada', 'de'));
      expect(asked).toEqual(['de', 'en', 'de']);
      await app.close();
    });
  }

  it('says what its calls answer', async () => {
    const blocks = [...(await read('docs/fragments.md')).matchAll(/```ts run\n([^]*?)```/g)];
    expect(blocks).toHaveLength(3);
    for (const [, block = ''] of blocks) {
      const module = await Test.createTestingModule({ imports: [CachingModule.forRoot()] }).compile();
      const checked = block.replace(/^(.*); \/\/ → (.*)$/gm, 'expect(await ($1)).toStrictEqual($2);');
      expect(checked).not.toContain('// →');
      const { code } = await transform(
        `export async function run(fragments, fragmentKey, expect) {${checked}}`,
        { jsc: { target: 'es2022' } },
      );
      const { run } = await load<{ run: (...given: unknown[]) => Promise<void> }>(code);
      await run(module.get(FragmentCache), fragmentKey, expect);
      await module.close();
    }
  });
});
