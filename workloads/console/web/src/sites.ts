// Names to choose from in filters, as the overview has them.
import type { Overview } from "./api";
import { useData } from "./data";

type Named = { namespace: string; pipeline: string };

/** Where nothing is known yet there is no `all`; where the console does not answer it is empty. */
export function useSites(): { sites: string[]; namespaces: string[]; pipelines: string[]; all?: Named[] } {
  const { value, error } = useData<Overview>("overview", {}, { concerns: ({ sites }) => sites, pause: 5_000 });
  const names = (of: (site: Overview["sites"][number]) => string) => [...new Set((value?.sites ?? []).map(of))].sort();
  return { sites: names((site) => site.site), namespaces: names((site) => site.namespace), pipelines: names((site) => site.pipeline), all: value?.sites ?? (error === undefined ? undefined : []) };
}
