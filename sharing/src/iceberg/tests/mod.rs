mod changes;
mod deletes;
mod histories;
mod kernel;
mod schemas;
mod versions;
