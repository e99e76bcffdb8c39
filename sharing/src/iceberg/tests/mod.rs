mod changes;
mod deletes;
mod kernel;
mod schemas;
mod versions;
