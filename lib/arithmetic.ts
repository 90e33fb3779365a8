/**
 * Arithmetic at the level of types, as learned at school: on the digits of whole numbers, the last one
 * first where a carry goes along. What is not known, negative or broken has the result `number`.
 */

interface Ones {
  readonly 0: [];
  readonly 1: [1];
  readonly 2: [1, 1];
  readonly 3: [1, 1, 1];
  readonly 4: [1, 1, 1, 1];
  readonly 5: [1, 1, 1, 1, 1];
  readonly 6: [1, 1, 1, 1, 1, 1];
  readonly 7: [1, 1, 1, 1, 1, 1, 1];
  readonly 8: [1, 1, 1, 1, 1, 1, 1, 1];
  readonly 9: [1, 1, 1, 1, 1, 1, 1, 1, 1];
}

type Ten = [...Ones[9], 1];
type Digit = keyof Ones;

/** The digits of N, the last one first; `never` when it is not a whole number that is known. */
type DigitsOf<N extends number> = Reversed<`${N}`>;

type Reversed<S extends string, R extends string = ""> = S extends ""
  ? R
  : S extends `${infer D extends Digit}${infer Rest}`
    ? Reversed<Rest, `${D}${R}`>
    : never;

type WithoutZeros<S extends string> = S extends `0${infer Rest}`
  ? Rest extends ""
    ? S
    : WithoutZeros<Rest>
  : S;

/** The number with these digits, the last one first. */
type NumberOf<S extends string> = [S] extends [never]
  ? number
  : WithoutZeros<Reversed<S>> extends `${infer N extends number}`
    ? N
    : number;

type Add<
  A extends string,
  B extends string,
  Carry extends 1[] = [],
  R extends string = "",
> = A extends `${infer X extends Digit}${infer RestA}`
  ? B extends `${infer Y extends Digit}${infer RestB}`
    ? AddNext<[...Ones[X], ...Ones[Y], ...Carry], RestA, RestB, R>
    : AddNext<[...Ones[X], ...Carry], RestA, "", R>
  : B extends ""
    ? Carry extends []
      ? R
      : `${R}1`
    : Add<B, "", Carry, R>;

type AddNext<T extends 1[], A extends string, B extends string, R extends string> = T extends [
  ...Ten,
  ...infer Rest,
]
  ? Add<A, B, [1], `${R}${Rest["length"]}`>
  : Add<A, B, [], `${R}${T["length"]}`>;

/** For A >= B. */
type Subtract<
  A extends string,
  B extends string,
  Borrow extends 1[] = [],
  R extends string = "",
> = A extends `${infer X extends Digit}${infer RestA}`
  ? B extends `${infer Y extends Digit}${infer RestB}`
    ? SubtractNext<Ones[X], [...Ones[Y], ...Borrow], RestA, RestB, R>
    : SubtractNext<Ones[X], Borrow, RestA, "", R>
  : R;

type SubtractNext<
  X extends 1[],
  Y extends 1[],
  A extends string,
  B extends string,
  R extends string,
> = X extends [...Y, ...infer Rest]
  ? Subtract<A, B, [], `${R}${Rest["length"]}`>
  : [...Ten, ...X] extends [...Y, ...infer Rest]
    ? Subtract<A, B, [1], `${R}${Rest["length"]}`>
    : never;

/** A as often as there are elements in N. */
type AddOften<A extends string, N extends unknown[], R extends string> = N extends [
  1,
  ...infer Rest,
]
  ? AddOften<A, Rest, Add<R, A>>
  : R;

/** Here B has its first digit first. */
type Multiply<
  A extends string,
  B extends string,
  R extends string = "0",
> = B extends `${infer D extends Digit}${infer Rest}`
  ? Multiply<A, Rest, AddOften<A, Ones[D], `0${R}`>>
  : R;

type Compare<A extends string, B extends string, Tie> = A extends `${infer X}${infer RestA}`
  ? B extends `${infer Y}${infer RestB}`
    ? Compare<RestA, RestB, X extends Y ? Tie : IsDigitLess<X, Y>>
    : false
  : B extends ""
    ? Tie
    : true;

type IsDigitLess<
  X extends string,
  Y extends string,
> = "0123456789" extends `${string}${X}${string}${Y}${string}` ? true : false;

/** Whether A < B; `boolean` when that is not known. */
export type IsLess<A extends number, B extends number> = [DigitsOf<A>] extends [never]
  ? boolean
  : [DigitsOf<B>] extends [never]
    ? boolean
    : Compare<DigitsOf<A>, DigitsOf<B>, false>;

/** A + B. */
export type Sum<A extends number, B extends number> = NumberOf<Add<DigitsOf<A>, DigitsOf<B>>>;

/** A - B, at least 0. */
export type Difference<A extends number, B extends number> =
  IsLess<A, B> extends infer Less
    ? boolean extends Less
      ? number
      : Less extends true
        ? 0
        : NumberOf<Subtract<DigitsOf<A>, DigitsOf<B>>>
    : never;

/** A times B. */
export type Product<A extends number, B extends number> = [DigitsOf<B>] extends [never]
  ? number
  : NumberOf<Multiply<DigitsOf<A>, `${B}`>>;
