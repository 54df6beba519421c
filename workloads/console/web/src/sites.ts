// Names to choose from in filters, as the overview has them.
import type { Overview } from "./api";
import { useData } from "./data";

export function useSites(): { sites: string[]; namespaces: string[]; pipelines: string[] } {
  const { value } = useData<Overview>("overview", {}, { concerns: ({ sites }) => sites, pause: 5_000 });
  const names = (of: (site: Overview["sites"][number]) => string) => [...new Set((value?.sites ?? []).map(of))].sort();
  return { sites: names((site) => site.site), namespaces: names((site) => site.namespace), pipelines: names((site) => site.pipeline) };
}
