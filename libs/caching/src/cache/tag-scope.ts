import type { Entry } from './entry.js';
import { NO_TAGS, NO_VERSIONS, type TagTable, type TagVersion } from './tags.js';
import { TransientStorage } from './transient-storage.js';

/** The tags that something depends on: at the versions it was made with, or by name alone where those are not known. */
export interface Dependencies {
  readonly tags: readonly TagVersion[];
  readonly names: readonly string[];
  /** Whether it must not be kept, nor what is made of it: it was made in a preview. Default `false`. */
  readonly isTransient?: boolean;
}

/**
 * What is read of caches while a value, a fragment or a page is made. Whatever is made of tagged entries has their tags,
 * so that an invalidation reaches everything that contains what it is about.
 */
export class TagScope {
  private readonly versions = new Map<TagTable, TagVersion[]>();
  private readonly names = new Set<string>();
  /** Whether what is made here must not be kept, since something inside is not. */
  isTransient = false;

  /** Notes the tags of something that was read; versions are those of this table's records. */
  note(table: TagTable, { tags, names, isTransient = false }: Dependencies): void {
    this.isTransient ||= isTransient;
    for (const name of names) this.names.add(name);
    if (tags.length === 0) return;
    const noted = this.versions.get(table);
    if (noted === undefined) this.versions.set(table, [...tags]);
    else noted.push(...tags);
  }

  /** Notes all that another scope has noted. */
  absorb({ versions, names, isTransient }: TagScope): void {
    this.isTransient ||= isTransient;
    for (const [table, tags] of versions) this.note(table, { tags, names: NO_TAGS });
    for (const name of names) this.names.add(name);
  }

  /** What an entry depends on whose tags have their records in this table. Versions of other tables are names to it. */
  dependencies(table: TagTable): Dependencies {
    const names = new Set(this.names);
    for (const [other, versions] of this.versions) {
      if (other !== table) for (const { tag } of versions) names.add(tag);
    }
    return { tags: this.versions.get(table) ?? [], names: [...names], isTransient: this.isTransient };
  }

  /** Runs what makes something: whatever it reads is noted here. */
  run<R>(make: () => Promise<R>): Promise<R> {
    return scopes.run(this, make);
  }
}

const scopes = new TransientStorage<TagScope>();

/** The scope of what is being made here; `undefined` where nothing is. */
export function currentTagScope(): TagScope | undefined {
  return scopes.getStore();
}

/** Notes the tags of what was read of a cache where something is being made of it. */
export function noteRead(table: TagTable, found: Entry<unknown> | number): void {
  if (typeof found === 'object' && found.guard !== undefined && found.guard.tags.length > 0)
    currentTagScope()?.note(table, dependenciesOf(found));
}

/** The tags of an entry that was read, or of what a load has come to. */
export function dependenciesOf(source: Entry<unknown> | Dependencies | undefined): Dependencies {
  if (source === undefined) return { tags: NO_VERSIONS, names: NO_TAGS };
  return 'guard' in source ? { tags: source.guard?.tags ?? NO_VERSIONS, names: NO_TAGS } : source;
}
