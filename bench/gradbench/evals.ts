import type { Evals } from "./protocol.js";

/** Every eval this tool has. */
export const evals: Evals = {
  hello: async () => (await import("./modules/hello.js")).hello,
  llsq: async () => (await import("./modules/llsq.js")).llsq,
  lse: async () => (await import("./modules/lse.js")).lse,
  det: async () => (await import("./modules/det.js")).det,
  ode: async () => (await import("./modules/ode.js")).ode,
  gmm: async () => (await import("./modules/gmm.js")).gmm,
  ba: async () => (await import("./modules/ba.js")).ba,
  lstm: async () => (await import("./modules/lstm.js")).lstm,
  ht: async () => (await import("./modules/ht.js")).ht,
  kmeans: async () => (await import("./modules/kmeans.js")).kmeans,
  saddle: async () => (await import("./modules/saddle.js")).saddle,
  particle: async () => (await import("./modules/particle.js")).particle,
};
