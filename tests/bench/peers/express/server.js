// Express and Mongoose, as their guides advise: reads are lean, writes validate; two processes by the cluster module.
const cluster = require("node:cluster");
const crypto = require("node:crypto");
const path = require("node:path");
const express = require("express");
const Redis = require("ioredis");
const jwt = require("jsonwebtoken");
const mongoose = require("mongoose");

const PRIORITIES = ["none", "low", "medium", "high", "urgent"];
const PIPELINES = require(path.join(__dirname, "..", "pipelines.json"));
const { BENCH_SECRET, BENCH_MONGODB, BENCH_PORT, BENCH_CACHE, BENCH_ALIKE } = process.env;
const MAX_REQUESTS = 100_000_000; // of a user in a minute
const { ObjectId } = mongoose.Types;
const id = mongoose.Schema.Types.ObjectId;

const schema = new mongoose.Schema(
  {
    key: String, project_id: id, title: { type: String, required: true, maxlength: 500 }, description: String,
    status: { type: String, default: "open" }, status_group: { type: String, default: "backlog" },
    priority: { type: Number, default: 0 }, label_ids: [id], assignee_ids: [id], watcher_ids: [id], reporter_id: id,
    parent_id: id, progress: Object, start_at: Date, due: String, due_at: Date, estimate_minutes: Number,
    due_timezone: String, recurrence: String, recurs_from: String, series_id: id, next_task_id: id, position: String,
    custom_fields: Object, started_at: Date, completed_at: Date, revision: { type: Number, default: 1 },
    created_at: Date, updated_at: Date, deleted_at: Date, marks: { type: [String], default: undefined, select: false },
  },
  { collection: "tasks", versionKey: false, autoIndex: false, minimize: false },
);
const Task = mongoose.model("Task", schema);
const User = mongoose.model("User", new mongoose.Schema(
  { email: String, name: String, role: String, access_version: Number, disabled_at: Date },
  { collection: "users", autoIndex: false },
));
const FIELDS = Object.keys(schema.paths).filter((name) => name !== "marks").join(" ");
const projectsOf = new Map();

function shown({ _id, priority, ...row }) {
  return { id: _id, ...row, priority: PRIORITIES[priority] };
}

// Look the user up and count the request, as ours does.
function alike() {
  const store = new Redis(BENCH_CACHE);
  return async (request, response, next) => {
    const key = `alike:${request.user}`;
    const [[, count]] = await store.pipeline().incr(key).expire(key, 60).exec();
    if (count > MAX_REQUESTS) return response.sendStatus(429);
    if (!(await User.findOne({ _id: request.user, disabled_at: null }, "_id").lean())) return response.sendStatus(401);
    return next();
  };
}

function app() {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", "strong");
  app.use(express.json({ type: ["application/json", "application/merge-patch+json"] }));
  app.use((request, response, next) => {
    const token = (request.headers.authorization || "").replace("Bearer ", "");
    request.user = jwt.verify(token, BENCH_SECRET, { algorithms: ["HS256"] }).sub;
    next();
  });
  if (BENCH_ALIKE) app.use(alike());

  async function page(query, sort, response) {
    const rows = await Task.find(query, FIELDS).sort(sort).limit(51).lean();
    response.json({ items: rows.slice(0, 50).map(shown), more: rows.length > 50 });
  }

  async function figures(project, name) {
    const query = { project_id: new ObjectId(project), deleted_at: null };
    return (await Task.aggregate([{ $match: query }, { $facet: PIPELINES[name] }]))[0];
  }

  app.get("/api/v1/projects/:project/tasks", async (request, response) => {
    let query = { project_id: new ObjectId(request.params.project), deleted_at: null };
    if (request.query.after_id) {
      const at = new Date(Math.round(Number(request.query.after_at) * 1000));
      const last = new ObjectId(request.query.after_id);
      query = { $or: [{ ...query, updated_at: at, _id: { $lt: last } }, { ...query, updated_at: { $lt: at } }] };
    }
    await page(query, { updated_at: -1, _id: -1 }, response);
  });

  app.get("/api/v1/tasks", async (request, response) => {
    if (!projectsOf.has(request.user)) {
      const query = { user_id: new ObjectId(request.user) };
      projectsOf.set(request.user, await mongoose.connection.collection("memberships").distinct("project_id", query));
    }
    const query = { project_id: { $in: projectsOf.get(request.user) }, deleted_at: null, marks: `a:${request.user}` };
    await page(query, { created_at: 1, _id: 1 }, response);
  });

  app.get("/api/v1/tasks/:task", async (request, response) => {
    response.json(shown(await Task.findOne({ _id: request.params.task, deleted_at: null }, FIELDS).lean()));
  });

  app.post("/api/v1/projects/:project/tasks", async (request, response) => {
    const project = await mongoose.connection.collection("projects").findOneAndUpdate(
      { _id: new ObjectId(request.params.project) }, { $inc: { last_number: 1 } }, { returnDocument: "after" });
    const moment = new Date();
    const task = await Task.create({
      ...request.body, priority: PRIORITIES.indexOf(request.body.priority), project_id: project._id,
      key: `${project.key}-${project.last_number}`, reporter_id: request.user, created_at: moment, updated_at: moment,
    });
    response.status(201).json(shown(task.toObject()));
  });

  app.patch("/api/v1/tasks/:task", async (request, response) => {
    const task = await Task.findOne({ _id: request.params.task, deleted_at: null });
    task.set({ ...request.body, priority: PRIORITIES.indexOf(request.body.priority), updated_at: new Date() });
    task.revision += 1;
    response.json(shown((await task.save()).toObject()));
  });

  app.get("/api/v1/projects/:project/stats", async (request, response) => {
    const found = await figures(request.params.project, "stats");
    response.json({ total: found.by_status.reduce((sum, row) => sum + row.count, 0), ...found });
  });

  app.get("/api/v1/projects/:project/facets", async (request, response) => {
    response.json(await figures(request.params.project, "facets"));
  });
  return app;
}

if (cluster.isPrimary) {
  for (let number = 0; number < 2; number += 1) cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
} else {
  mongoose.connect(BENCH_MONGODB, { readConcernLevel: "majority" }).then(() => {
    app().listen(Number(BENCH_PORT), "127.0.0.1");
  });
}
