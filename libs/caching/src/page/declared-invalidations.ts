import type { Type } from '@nestjs/common';
import { type DeclaredTargets, declaredTargets } from './invalidates-pages.decorator.js';
import type { AnyPageTarget } from './page-target.js';
import type { PageTargets, TargetTags } from './page-targets.js';
import { type Handler, PerHandler } from './per-handler.js';
import type { RoutePatterns } from './route-patterns.js';

/** Tags to invalidate. */
export interface Change {
  readonly tags: TargetTags;
  readonly isSoft: boolean;
}

/** What the decorators of a route say, its controller's for unsafe requests only. */
export interface DeclaredRoute {
  readonly name: string;
  readonly safe: readonly DeclaredTargets[];
  readonly unsafe: readonly DeclaredTargets[];
}

/** The only reader of what `@InvalidatesPages` records. */
export class DeclaredInvalidations {
  private readonly routes = new PerHandler(read);
  private readonly resolved = new WeakMap<readonly AnyPageTarget[], readonly Change[]>();

  constructor(
    private readonly patterns: RoutePatterns,
    private readonly targets: PageTargets,
  ) {}

  of(handler: Handler, controller: Type): DeclaredRoute {
    return this.routes.of(handler, controller);
  }

  /**
   * What one decorator changes with this answer.
   *
   * @throws InvalidPageTargetError, InvalidArgumentError, and what a function of the application throws
   */
  changesOf(declared: DeclaredTargets, request: object, result: unknown): readonly Change[] {
    if (typeof declared === 'function') {
      const found = declared(request, result);
      return found === undefined ? [] : this.resolve([found].flat());
    }
    let changes = this.resolved.get(declared);
    if (changes === undefined) this.resolved.set(declared, (changes = this.resolve(declared)));
    return changes;
  }

  /** Whether any route of the application has one. */
  get exist(): boolean {
    return this.patterns.handlers.some(
      ({ handler, controller }) => this.of(handler, controller).unsafe.length > 0,
    );
  }

  /**
   * Checks what is known beforehand, so that a mistake shows at start.
   *
   * @throws InvalidPageTargetError, InvalidArgumentError
   */
  check(): void {
    for (const { handler, controller } of this.patterns.handlers) {
      for (const declared of this.of(handler, controller).unsafe) {
        if (typeof declared !== 'function') this.changesOf(declared, {}, undefined);
      }
    }
  }

  private resolve(targets: readonly AnyPageTarget[]): readonly Change[] {
    return [false, true].flatMap((isSoft) => {
      const meant = targets.filter(({ soft }) => (soft === true) === isSoft);
      return meant.length === 0 ? [] : [{ tags: this.targets.tagsOf(meant), isSoft }];
    });
  }
}

function read(handler: Handler, controller: Type): DeclaredRoute {
  const safe = declaredTargets(handler);
  return {
    name: `${controller.name}.${handler.name}`,
    safe,
    unsafe: [...safe, ...declaredTargets(controller)],
  };
}
