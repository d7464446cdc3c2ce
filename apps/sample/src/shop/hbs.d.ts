/** `hbs` brings no types. */
declare module 'hbs' {
  import type { Hbs } from 'nestjs-caching/fragments/handlebars';

  const hbs: Hbs;
  export default hbs;
}
