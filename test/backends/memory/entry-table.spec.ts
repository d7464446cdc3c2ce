import { describe, expect, it } from '@jest/globals';
import { EntryTable } from '../../../libs/caching/src/backends/memory/entry-table.js';

describe('the table of entries', () => {
  it('uses the slots of dropped entries again', () => {
    const table = new EntryTable(3);
    for (let round = 0; round < 100; round += 1) {
      const slots = ['a', 'b', 'c'].map((key) => table.insert(`${key}${round}`));
      for (const slot of slots) table.fill(slot, round, 100, round % 2 === 0 ? 5 : null, 0);
      expect([table.count, table.bytes]).toEqual([3, 300]);
      for (const slot of slots) table.drop(slot);
    }
    expect([table.count, table.bytes, table.end, table.queue.lives]).toEqual([0, 0, 4, 0]);
  });

  it('holds on to nothing of a dropped entry', () => {
    const table = new EntryTable(3);
    const slot = table.insert('key');
    table.fill(slot, { size: 5 }, 100, null, 0);
    table.drop(slot);
    expect([table.keyAt(slot), table.payloads.get(slot), table.slotOf('key')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
