// What a user of the generated types writes: `tsc --strict` reads it (`make clients`).
import type { components, operations, paths, webhooks } from "./schema";

type Task = components["schemas"]["TaskRead"];
type Page = paths["/api/v1/projects/{project_id}/tasks"]["get"]["responses"][200]["content"]["application/json"];
type Login = operations["log_in"]["responses"][200]["content"]["application/json"];
type Created = webhooks["task.created"]["post"]["requestBody"]["content"]["application/json"];

export const titles = (page: Page): string[] => page.items.map((task: Task) => `${task.key} ${task.title.trim()}`);

export const accessToken = (login: Login): string | null => ("access_token" in login ? login.access_token : null);

export const revision = (task: Task): number => task.revision + (task.progress.total ?? 0);

export const urgent: components["schemas"]["TaskPatch"] = { priority: "urgent", due_timezone: "Europe/Berlin" };

export const byAddress: components["schemas"]["MemberIn"] = { kind: "email", email: "grace@example.com", role: "member" };

export const place: components["schemas"]["TaskPlace"] = { kind: "end", at: "first" };

export const operation: components["schemas"]["OperationIn"] = { op: "complete", task_id: "65f1c0ffee0123456789c001" };

export const subject = (event: Created): string => event.data.project_id;
